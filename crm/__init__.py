"""Domain and storage: settings, models, calls, users, notices. Imports none of the other rooms."""
