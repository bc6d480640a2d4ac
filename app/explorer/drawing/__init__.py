"""The geometry of charts, in percent of their width: progress, dates on an axis, provinces as squares."""
