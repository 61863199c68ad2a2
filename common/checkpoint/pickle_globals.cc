#include "common/checkpoint/pickle_globals.h"

#include <array>

namespace ip2p {
namespace {

using Role = PickleGlobal::Role;

constexpr std::array kGlobals = {
    PickleGlobal{"collections.OrderedDict", Role::kOrderedDict},
    PickleGlobal{"torch._utils._rebuild_tensor", Role::kRebuildTensor},
    PickleGlobal{"torch._utils._rebuild_tensor_v2", Role::kRebuildTensor},
    PickleGlobal{"torch._utils._rebuild_parameter", Role::kRebuildParameter},
    PickleGlobal{"torch.DoubleStorage", Role::kStorage, DType::kFloat64},
    PickleGlobal{"torch.FloatStorage", Role::kStorage, DType::kFloat32},
    PickleGlobal{"torch.HalfStorage", Role::kStorage, DType::kFloat16},
    PickleGlobal{"torch.BFloat16Storage", Role::kStorage, DType::kBFloat16},
    PickleGlobal{"torch.LongStorage", Role::kStorage, DType::kInt64},
    PickleGlobal{"torch.IntStorage", Role::kStorage, DType::kInt32},
    PickleGlobal{"torch.ShortStorage", Role::kStorage, DType::kInt16},
    PickleGlobal{"torch.CharStorage", Role::kStorage, DType::kInt8},
    PickleGlobal{"torch.ByteStorage", Role::kStorage, DType::kUInt8},
    PickleGlobal{"torch.BoolStorage", Role::kStorage, DType::kBool},
    PickleGlobal{"torch.float64", Role::kOpaque},
    PickleGlobal{"torch.float32", Role::kOpaque},
    PickleGlobal{"torch.float16", Role::kOpaque},
    PickleGlobal{"torch.bfloat16", Role::kOpaque},
    PickleGlobal{"torch.int64", Role::kOpaque},
    PickleGlobal{"torch.int32", Role::kOpaque},
    PickleGlobal{"torch.int16", Role::kOpaque},
    PickleGlobal{"torch.int8", Role::kOpaque},
    PickleGlobal{"torch.uint8", Role::kOpaque},
    PickleGlobal{"torch.bool", Role::kOpaque},
    PickleGlobal{"torch.Size", Role::kOpaque},
    PickleGlobal{"torch.device", Role::kOpaque},
    // What training frameworks leave beside the weights: keys of "callbacks", scores, hyper-parameters.
    PickleGlobal{"pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint", Role::kOpaque},
    PickleGlobal{"pytorch_lightning.callbacks.early_stopping.EarlyStopping", Role::kOpaque},
    PickleGlobal{"pytorch_lightning.utilities.parsing.AttributeDict", Role::kOpaque},
    PickleGlobal{"numpy.core.multiarray.scalar", Role::kOpaque},
    PickleGlobal{"numpy._core.multiarray.scalar", Role::kOpaque},
    PickleGlobal{"numpy.core.multiarray._reconstruct", Role::kOpaque},
    PickleGlobal{"numpy._core.multiarray._reconstruct", Role::kOpaque},
    PickleGlobal{"numpy.dtype", Role::kOpaque},
    PickleGlobal{"numpy.ndarray", Role::kOpaque},
    PickleGlobal{"_codecs.encode", Role::kOpaque},
    PickleGlobal{"collections.defaultdict", Role::kOpaque},
    PickleGlobal{"__builtin__.set", Role::kOpaque},
    PickleGlobal{"builtins.set", Role::kOpaque},
};

}  // namespace

std::span<const PickleGlobal> PickleGlobals() { return kGlobals; }

}  // namespace ip2p
