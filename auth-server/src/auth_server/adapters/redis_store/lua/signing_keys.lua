return all_keys()
