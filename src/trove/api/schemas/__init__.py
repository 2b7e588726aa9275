"""What may stand in a request, and what stands in an answer; Trove's quirks live here."""
