-- Without a default that old rows would have to be rewritten for, and nullable: the version before
-- this one, which still runs while this is applied, inserts rows without it.
ALTER TABLE items ADD COLUMN picture text;
