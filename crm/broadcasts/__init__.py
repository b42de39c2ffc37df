"""Messages to many on request of an authority: who gets what (`audience`, `texts`), a second
person's approval (`life`), how fast (`load`), sending it at most once (`sending`), files for
carriers (`handoff`).
"""
