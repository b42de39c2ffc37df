"""Pages for citizens: nobody signs in, and they work without scripts on an old telephone."""
