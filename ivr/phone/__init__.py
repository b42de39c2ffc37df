"""A SIP and RTP telephone: the citizen's for `hotline call`, an agent's desk phone, a load caller.

It is our own because no living library of a fitting licence sends an INVITE twice when the first
is lost, paces DTMF in real time, and lets a test put hostile bytes into a header.
"""

from ivr.phone.call import Call, CallState, Dtmf, PhoneError
from ivr.phone.citizen import CallReport, dial
from ivr.phone.phone import Phone

__all__ = ["Call", "CallReport", "CallState", "Dtmf", "Phone", "PhoneError", "dial"]
