"""Input that nobody sane would send: bounded in number, `EDGEATTEND_FUZZ=50` runs fifty times as many, at random."""
