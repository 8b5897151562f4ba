from typing import Any

import ninja


class Router(ninja.Router):
    """Router that answers HEAD wherever it answers GET."""

    def api_operation(self, methods: list[str], path: str, **options: Any) -> Any:
        if "GET" in methods:
            methods = [*methods, "HEAD"]
        return super().api_operation(methods, path, **options)
