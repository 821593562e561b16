"""What becomes of a report: formats, files, gate, comparison, recording."""
