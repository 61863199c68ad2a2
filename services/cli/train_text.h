// A training job and its checkpoints as people read them. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "ip2p/training/v1/job.pb.h"

namespace ip2p {

// "running", "instruct-pix2pix".
std::string StateText(training::v1::JobState state);
std::string ObjectiveText(training::v1::Objective objective);
bool IsFinal(training::v1::JobState state);

// "queued, place 3", "restarting, 2 of 10 restarts", "running".
std::string StandText(const training::v1::Job& job);
// Samples a second of the last step, all ranks; 0 when unknown.
double SamplesPerSecond(const training::v1::Job& job);
// "step 500 of 1000, loss 0.1234, 12.3 samples/s, 0:26 left"; empty before the first step.
std::string FiguresText(const training::v1::Job& job);

// A line a job or checkpoint under a heading; `JobText` is a line a property.
std::string JobsText(const std::vector<const training::v1::Job*>& jobs);
std::string JobText(const training::v1::Job& job);
std::string CheckpointsText(const std::vector<const training::v1::Checkpoint*>& checkpoints);

// How a job that watchers wait for stands in one line of a terminal, at most `columns` wide:
// "running [###.....]  500/1000  loss 0.1234  12.3 samples/s  0:26 left  ▇▅▃▂▁". What doesn't fit gives way:
// first the curve of `losses`, then the bar.
std::string TrainBar(const training::v1::Job& job, const std::vector<double>& losses, int columns,
                     bool unicode);

}  // namespace ip2p
