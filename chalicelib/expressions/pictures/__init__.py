"""Pictures of numbers and times, as XPath and XQuery Functions 3.1 describes them."""
