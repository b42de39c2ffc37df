"""Old months: calls, with all that is theirs, and what agents told the queues leave the database
for sealed files, one a month.

    models      which months are archived
    rows        which rows go together, and how they are written
    files       a month's file: sealed, read back before it counts
    months      archiving, bringing back, and the reports' counts that stay
    people      what people ask about their numbers, and numbers whose time is over

Whatever dies at whatever moment: a row is deleted only while it is, word for word, what the file on
the disk opens to. Done again, the file has what it had, and what the database has in place of it.
"""
