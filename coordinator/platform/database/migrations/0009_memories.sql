-- Nothing in SQL looks into a memory: reading it as JSON at every report cost more than writing it.
alter table camera_memories alter column memory type text using memory::text;
-- The new type brings its own default.
alter table camera_memories alter column memory set storage main;
