-- Agents compare it with the number of the list of placeholder pictures that they have.
alter table fleet_settings add column placeholder_revision bigint not null default 0;
create index placeholders_learned on placeholders (id) where learned_at is not null and dismissed_at is null;
