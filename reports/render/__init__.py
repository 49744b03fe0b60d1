"""Evidence as documents: HTML, PDF, JUnit, Markdown, terminal; the sentences they share."""
