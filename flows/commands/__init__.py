"""The commands of `sallyport`, one light module per family: arguments in, tables or JSON out. No work of their own."""
