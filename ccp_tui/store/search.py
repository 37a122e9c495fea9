"""Full-text search over tasks, specs, messages and events."""

from __future__ import annotations

import re
import unicodedata

from ccp_tui.store.part import Reader, Row

KINDS = ("task", "spec", "message", "event")
# The words of a hit stand between these two in a snippet: characters that no cleaned text contains.
HIT_START, HIT_END = "\x02", "\x03"

_WORD = re.compile(r"\w+")
_HITS = f"""
  SELECT * FROM (
    SELECT rowid / 4 AS row, rowid % 4 AS kind, rank AS score,
           snippet(search_index, -1, '{HIT_START}', '{HIT_END}', '…', 16) AS snippet
    FROM search_index WHERE search_index MATCH ?1 AND rowid % 4 {{}} 3 ORDER BY rank LIMIT ?2
  )
"""
# Events are short and many: ranked among the others they would crowd them out.
_SQL = f"""
WITH hits AS ({_HITS.format("<>")} UNION ALL {_HITS.format("=")})
SELECT h.kind, h.snippet, t.ref, coalesce(t.title, s.title, '') AS title,
       m.session_key, coalesce(e.agent_id, s.agent_id, t.agent_id) AS agent, e.id AS event_id, m.id AS message_id,
       coalesce(e.at, m.at, p.created_at, t.updated_at) AS at
FROM hits h
LEFT JOIN specs p ON h.kind = 1 AND p.id = h.row
LEFT JOIN messages m ON h.kind = 2 AND m.id = h.row
LEFT JOIN sessions s ON s.session_key = m.session_key
LEFT JOIN attempts a ON a.id = s.attempt_id
LEFT JOIN events e ON h.kind = 3 AND e.id = h.row
LEFT JOIN tasks t ON t.id = coalesce(CASE WHEN h.kind = 0 THEN h.row END, p.task_id, a.task_id, e.task_id)
ORDER BY h.kind = 3, h.score LIMIT ?2
"""


class Search(Reader):
    def find(self, text: str, limit: int = 50) -> list[Row]:
        """Hits for all the words of ``text`` (each may be the start of a word), the best first, events last.

        Whatever the person types is words, never FTS5 syntax.
        """
        words = _WORD.findall(unicodedata.normalize("NFC", text))
        if not words:
            return []
        query = " ".join(f'"{word}"*' for word in words[:16])
        return [{**row, "kind": KINDS[row["kind"]]} for row in self._all(_SQL, (query, limit))]
