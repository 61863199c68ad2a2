// Times and durations on the wire. Pure functions.
#pragma once

#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace ip2p {

inline google::protobuf::Duration DurationProto(absl::Duration duration) {
  google::protobuf::Duration wire;
  absl::Duration rest;
  wire.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &rest));
  wire.set_nanos(static_cast<int>(absl::ToInt64Nanoseconds(rest)));
  return wire;
}

inline absl::Duration FromProto(const google::protobuf::Duration& wire) {
  return absl::Seconds(wire.seconds()) + absl::Nanoseconds(wire.nanos());
}

inline google::protobuf::Timestamp TimestampProto(absl::Time time) {
  google::protobuf::Timestamp wire;
  const absl::Duration since = time - absl::UnixEpoch();
  const absl::Duration seconds = absl::Floor(since, absl::Seconds(1));  // nanos are never negative
  wire.set_seconds(absl::ToInt64Seconds(seconds));
  wire.set_nanos(static_cast<int>(absl::ToInt64Nanoseconds(since - seconds)));
  return wire;
}

}  // namespace ip2p
