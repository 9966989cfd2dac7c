"""What every program of this part does. It imports nothing of Echoer."""

from typing import Any

STATES = (5, 20)
"""The lengths of the walks."""

LIMIT = 1_000
"""The guard of every transition: the value that its event brings must be smaller."""

EXPRESSIONS = {
    "path": "$input.customer.address.city",
    "filter": "$input.items[price > 50 and quantity < 5].name",
    "text": '"Order " & $input.id & " of " & $input.customer.name & ": " & $input.total',
    "sum": "$sum($map($input.items, function($item) { $item.price * $item.quantity }))",
    "object": '{"id": $input.id, "items": $count($input.items), "rate": $input.total > 100 ? "express" : "standard"}',
}
"""The five typical expressions, by name."""

ORDER: dict[str, Any] = {
    "id": 4711,
    "total": 412,
    "customer": {"name": "Ada", "address": {"city": "London", "street": "12 St James's Square"}},
    "items": [
        {"name": f"item {number}", "price": 7 * number % 97, "quantity": 1 + number % 7} for number in range(1, 11)
    ],
}
"""What `$input` is: an order of ten items."""
