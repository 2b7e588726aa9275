"""What each resource looks like on the wire, in requests and in answers.

Trove's quirks live here and nowhere else.
"""
