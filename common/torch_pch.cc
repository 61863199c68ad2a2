// Owns the precompiled torch/torch.h that every torch target reuses; see ip2p_use_torch.
