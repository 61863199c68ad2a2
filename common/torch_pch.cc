// Owns the precompiled torch headers that every torch target reuses; see ip2p_precompiled.
