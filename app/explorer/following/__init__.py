"""What readers follow: the page of changes, its Atom feed, and the timeline as a calendar."""
