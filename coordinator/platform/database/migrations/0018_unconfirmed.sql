-- Its agent was suspected, and for as long as one waits nobody else could look: the cameras are believed to be down.
alter table incidents add column unconfirmed boolean not null default false;
