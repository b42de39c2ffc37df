"""All that knows Asterisk: runtime, menus, dialplan, journal, listener, commands, doctor."""
