"""Outside systems that speak to the product: identity systems (SCIM) and permit systems (webhooks)."""
