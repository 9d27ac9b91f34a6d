"""May this number be called now? Pure judgements; read calling_window.py first."""
