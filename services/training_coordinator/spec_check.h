// A job's spec: what is wrong with it, and what it means when little is said.
#pragma once

#include <string>
#include <vector>

#include "ip2p/training/v1/job.pb.h"
#include "services/training_coordinator/decisions.h"
#include "services/training_coordinator/job.h"

namespace ip2p::training_coordinator {

// All faults, one each: "spec.params.learning_rate is nan; wants over 0 and at most 1".
std::vector<std::string> SpecFaults(const training::v1::JobSpec& spec, const SlotCounts& slots);

// Fills in the reference's defaults, whatever machine this is.
void FillDefaults(training::v1::JobSpec& spec);
// Fills in what depends on the machine: the threads of a slot.
void FillThreads(training::v1::JobSpec& spec, int threads_per_slot);

// Of a filled spec.
JobPlan PlanOf(const training::v1::JobSpec& spec);

bool IsName(const std::string& text);  // [a-z0-9-]{1,63}

}  // namespace ip2p::training_coordinator
