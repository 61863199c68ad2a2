// Magic numbers. What this system does not read is still named, so that its user knows what to convert.
#include "common/image/image_format.h"

#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace ip2p {
namespace {

using std::string_view_literals::operator""sv;

struct Magic {
  size_t offset;
  std::string_view bytes;
  const char* name;  // with its article
};

constexpr Magic kRefused[] = {
    {0, "GIF8"sv, "a GIF"},         {0, "BM"sv, "a BMP"},
    {0, "II*\0"sv, "a TIFF"},       {0, "MM\0*"sv, "a TIFF"},
    {0, "%PDF"sv, "a PDF"},         {4, "ftypavi"sv, "an AVIF"},
    {4, "ftyphei"sv, "a HEIC"},     {4, "ftypmif1"sv, "a HEIC"},
    {4, "ftyp"sv, "a video"},       {0, "\0\0\0\x0cjP  "sv, "a JPEG 2000"},
    {0, "\xff\x0a"sv, "a JPEG XL"}, {0, "\0\0\0\x0cJXL "sv, "a JPEG XL"},
    {0, "\0\0\1\0"sv, "an ICO"},    {0, "8BPS"sv, "a Photoshop file"},
    {0, "qoif"sv, "a QOI"},
};

bool LooksLikeMarkup(std::string_view bytes) {
  const size_t start = bytes.find_first_not_of(" \t\r\n");
  return start != std::string_view::npos && bytes[start] == '<';
}

// An SVG has no magic: markup whose start mentions <svg.
bool LooksLikeSvg(std::string_view bytes) {
  return LooksLikeMarkup(bytes) && bytes.substr(0, 1024).find("<svg") != std::string_view::npos;
}

std::string Found(std::string_view bytes) {
  if (bytes.empty()) return "empty";
  for (const Magic& magic : kRefused) {
    if (bytes.size() >= magic.offset && bytes.substr(magic.offset).starts_with(magic.bytes)) {
      return magic.name;
    }
  }
  if (LooksLikeSvg(bytes)) return "an SVG";
  if (LooksLikeMarkup(bytes)) return "a web page or XML";
  return absl::StrCat(bytes.size(), " bytes of an unknown format");
}

}  // namespace

const char* ImageFormatName(ImageFormat format) {
  switch (format) {
    case ImageFormat::kJpeg:
      return "jpeg";
    case ImageFormat::kPng:
      return "png";
    case ImageFormat::kWebp:
      return "webp";
  }
  return "unknown";
}

absl::StatusOr<ImageFormat> SniffImageFormat(std::string_view bytes) {
  if (bytes.starts_with("\xff\xd8\xff"sv)) return ImageFormat::kJpeg;
  if (bytes.starts_with("\x89PNG\r\n\x1a\n"sv)) return ImageFormat::kPng;
  if (bytes.size() >= 12 && bytes.starts_with("RIFF"sv) && bytes.substr(8, 4) == "WEBP"sv) {
    return ImageFormat::kWebp;
  }
  return absl::InvalidArgumentError(absl::StrCat("image is ", Found(bytes), "; wants JPEG, PNG or WebP"));
}

absl::StatusOr<ImageFormat> ImageFormatOfPath(std::string_view path) {
  const size_t slash = path.rfind('/');
  const std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  const size_t dot = name.rfind('.');
  const std::string extension =
      dot == std::string_view::npos ? "" : absl::AsciiStrToLower(std::string(name.substr(dot)));
  if (extension == ".jpg" || extension == ".jpeg") return ImageFormat::kJpeg;
  if (extension == ".png") return ImageFormat::kPng;
  if (extension == ".webp") return ImageFormat::kWebp;
  return absl::InvalidArgumentError(
      absl::StrCat("file extension is \"", extension, "\"; wants .png, .jpg, .jpeg or .webp"));
}

}  // namespace ip2p
