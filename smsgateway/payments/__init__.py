"""Payment providers: how a top-up order is paid, and how the provider's word that it was paid is believed.

Read `provider.py` first (the contract), then `stripe.py` or `alipay.py` (one provider, each after its public
documents), `registry.py` (which are offered) and `callbacks.py` (from a provider's message to the one credit).
"""
