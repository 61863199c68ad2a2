// Of ip2p, which is free of torch.
#include "services/cli/torch_verbs.h"

namespace ip2p {

const TorchVerbs* TorchVerbsHere() { return nullptr; }

}  // namespace ip2p
