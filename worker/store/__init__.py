"""What is kept: the SQL database (the truth about users, drafts, jobs) and the blob store (pictures)."""
