// Runs the image library on files, for the comparison with Pillow. Writes PNG, which loses nothing.
//   image_probe decode IN OUT
//   image_probe fit RESOLUTION IN OUT
//   image_probe resize WIDTH HEIGHT LEFT TOP RIGHT BOTTOM IN OUT
//   image_probe bicubic WIDTH HEIGHT IN OUT
//   image_probe encode jpeg|png|webp QUALITY LOSSLESS PARAMETERS IN OUT     (the one that does not write PNG)
//   image_probe parameters IN OUT                                           (writes text)
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "common/base/status_macros.h"
#include "common/image/decode.h"
#include "common/image/encode.h"
#include "common/image/fit.h"
#include "common/image/resize.h"

namespace ip2p {
namespace {

absl::StatusOr<std::string> Process(const std::vector<std::string>& args, const std::string& bytes) {
  const std::string& verb = args[0];
  if (verb == "parameters") return ReadParameters(bytes);
  IP2P_ASSIGN_OR_RETURN(DecodedImage decoded, DecodeImage(bytes));
  EncodeOptions options;
  if (verb == "fit") {
    IP2P_ASSIGN_OR_RETURN(decoded.image, FitReference(decoded.image, std::stoi(args[1])));
  } else if (verb == "resize") {
    const Box box{std::stof(args[3]), std::stof(args[4]), std::stof(args[5]), std::stof(args[6])};
    IP2P_ASSIGN_OR_RETURN(decoded.image,
                          ResizeLanczos(decoded.image, {std::stoi(args[1]), std::stoi(args[2])}, box));
  } else if (verb == "bicubic") {
    IP2P_ASSIGN_OR_RETURN(decoded.image,
                          ResizeBicubic(decoded.image, {std::stoi(args[1]), std::stoi(args[2])}));
  } else if (verb == "encode") {
    IP2P_ASSIGN_OR_RETURN(options.format, ImageFormatOfPath("x." + args[1]));
    options.quality = std::stoi(args[2]);
    options.lossless = args[3] == "1";
    options.parameters = args[4];
  }
  return EncodeImage(decoded.image, options);
}

}  // namespace
}  // namespace ip2p

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (args.size() < 3) return 2;
  std::ifstream in(args[args.size() - 2], std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  const absl::StatusOr<std::string> out = ip2p::Process(args, bytes);
  if (!out.ok()) {
    std::cerr << out.status() << "\n";
    return 1;
  }
  std::ofstream(args.back(), std::ios::binary) << *out;
  return 0;
}
