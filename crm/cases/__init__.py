"""Cases: what a citizen was promised, with an agency, a deadline and a status (`life`)."""
