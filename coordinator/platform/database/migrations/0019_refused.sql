-- What intake refused for good and the agent keeps in outbox/refused/, and pictures that it had no room or no luck with.
alter table agent_sessions
  add column refused_batches integer not null default 0,
  add column pictures_dropped integer not null default 0;
