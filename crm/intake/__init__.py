"""How cases come in other than by an agent's call: pages, e-mail, Zalo, portals, by hand."""
