"""The auditor: a second reader of a home's journal, which shares no line with what wrote it."""
