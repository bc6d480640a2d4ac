"""The progress of a project in other pages: as a picture, in a frame, and as a card (oEmbed)."""
