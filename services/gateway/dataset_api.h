// Datasets to look at.
//
//   GET /api/v1/datasets                          {"datasets": ["first", …]}
//   GET /api/v1/datasets/{name}                   counts, histograms, and what the query's thresholds would
//   keep:
//                                                 clip_threshold, clip_dir_threshold, clip_img_threshold,
//                                                 max_out_samples; default: the dataset's own.
//                                                 "fault": null, or why what is new is missing
//   GET /api/v1/datasets/{name}/pairs             a page of pairs that reach the thresholds (default: all):
//                                                 offset, limit, order (dataset, best, worst)
//   GET /api/v1/datasets/{name}/images/{folder}/{file}   SEED_0.jpg before, SEED_1.jpg after
#pragma once

#include "services/gateway/dataset_catalog.h"
#include "services/gateway/router.h"

namespace ip2p::gateway {

void AddDatasetRoutes(Router& router, DatasetCatalog* catalog);

}  // namespace ip2p::gateway
