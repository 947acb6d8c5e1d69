-- Every report changes these rows in place, within their pages (fillfactor 50): the next change of a page clears it by itself. By
-- the usual fifth of dead rows they would be vacuumed and analysed once a minute in full, at half the cost of the reports.
-- Scale factors of an empty table mean nothing, so its first rows are still noticed at once.
alter table open_spans set (autovacuum_vacuum_scale_factor = 2, autovacuum_analyze_scale_factor = 10);
alter table camera_state set (autovacuum_vacuum_scale_factor = 2, autovacuum_analyze_scale_factor = 10);
alter table camera_memories set (autovacuum_vacuum_scale_factor = 2, autovacuum_analyze_scale_factor = 10);
