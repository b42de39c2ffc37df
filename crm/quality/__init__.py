"""How well calls are handled: score cards, a fair draw of calls, evaluations that agents answer."""
