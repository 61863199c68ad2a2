// Owns the precompiled headers of the test programs; see ip2p_precompiled.
