-- Version 1. Times are microseconds since 1970, UTC.

-- A user, under graph.OwnerKey. Of one who was forgotten the row remains, without the id.
CREATE TABLE owner (
	id        INTEGER PRIMARY KEY,
	key       TEXT    NOT NULL UNIQUE,
	user      TEXT    NOT NULL DEFAULT '',
	turns     INTEGER NOT NULL DEFAULT 0,
	terms     INTEGER NOT NULL DEFAULT 0, -- of all its turns
	forgotten INTEGER                     -- nothing sent until then comes back
);

CREATE TABLE turn (
	id       INTEGER PRIMARY KEY,
	owner    INTEGER NOT NULL REFERENCES owner (id),
	turn_id  TEXT    NOT NULL,
	session  TEXT    NOT NULL,
	place    TEXT    NOT NULL, -- graph.OrderKey
	at       INTEGER NOT NULL,
	sent     INTEGER NOT NULL,
	digest   TEXT    NOT NULL,
	engine   TEXT    NOT NULL,
	role     TEXT    NOT NULL, -- of the message that the turn is recalled as, as the next two
	speaker  TEXT    NOT NULL,
	text     TEXT    NOT NULL,
	messages TEXT    NOT NULL, -- JSON
	terms    TEXT    NOT NULL, -- graph.IndexTerms
	length   INTEGER NOT NULL, -- how many terms
	UNIQUE (owner, turn_id)
);
CREATE INDEX turn_session ON turn (session, owner, place);

CREATE TABLE mention (
	turn INTEGER NOT NULL REFERENCES turn (id) ON DELETE CASCADE,
	key  TEXT    NOT NULL, -- graph.Key of name
	kind TEXT    NOT NULL,
	name TEXT    NOT NULL,
	PRIMARY KEY (turn, key, kind)
) WITHOUT ROWID;

-- A fact as one turn states it; "until" follows from the statements of its line, by graph.Timeline.
CREATE TABLE statement (
	turn     INTEGER NOT NULL REFERENCES turn (id) ON DELETE CASCADE,
	seq      INTEGER NOT NULL,
	owner    INTEGER NOT NULL REFERENCES owner (id),
	line     TEXT    NOT NULL,
	subject  TEXT    NOT NULL,
	relation TEXT    NOT NULL,
	object   TEXT    NOT NULL,
	single   INTEGER NOT NULL,
	ended    INTEGER NOT NULL,
	text     TEXT    NOT NULL,
	since    INTEGER NOT NULL,
	until    INTEGER, -- null: it holds
	PRIMARY KEY (turn, seq)
) WITHOUT ROWID;
CREATE INDEX statement_line ON statement (owner, line);

-- The terms of turns, each led by the number of its owner (see token), so that the index itself keeps users apart.
-- What is deleted is overwritten, here as in the tables.
CREATE VIRTUAL TABLE search USING fts5 (terms, content = '', tokenize = "ascii tokenchars '_'");
INSERT INTO search (search, rank) VALUES ('secure-delete', 1);
