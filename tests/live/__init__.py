"""Tests on the whole running hotline: real Asterisk, SIP, RTP, browser and database."""
