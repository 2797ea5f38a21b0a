# Whole runs of `precis sft`, `reward`, `sample` and `score` on a small embedded data set.
precis_test(training_run_test
  SOURCES training_test.cpp training_input_test.cpp stops_test.cpp reward_workers_test.cpp ranks_test.cpp
          finished_runs_test.cpp training_run.cpp
  LIBRARIES ppo_run precis_io SHARDS 3 TIMEOUT 600 LABELS run mpi)
precis_test(data_parts_run_test SOURCES data_parts_run_test.cpp training_run.cpp LIBRARIES ppo_run precis_io TIMEOUT 300
            LABELS run mpi)
precis_test(grids_run_test SOURCES grids_run_test.cpp training_run.cpp LIBRARIES ppo_run precis_io TIMEOUT 300
            LABELS run mpi)
precis_test(trace_run_test SOURCES trace_run_test.cpp training_run.cpp LIBRARIES ppo_run precis_io TIMEOUT 300
            LABELS run mpi)
# The same runs with other micro-batches: a few in a minute, and all of them.
precis_test(micro_batches_run_test SOURCES micro_batches_run_test.cpp training_run.cpp LIBRARIES ppo_run precis_io
            TIMEOUT 300 LABELS run mpi)
precis_test(micro_batches_long_test SOURCES micro_batches_run_test.cpp training_run.cpp LIBRARIES ppo_run precis_io
            TIMEOUT 1200 LABELS run mpi long)
target_compile_definitions(micro_batches_long_test PRIVATE PRECIS_ALL_MICRO_BATCHES)
