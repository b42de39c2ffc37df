"""Who works when, what one shift hands to the next, and what everybody must know at once."""
