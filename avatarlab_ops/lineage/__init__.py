"""Where a video came from: asked, drawn, and told as OpenLineage events."""
