# Whole runs of `precis sft`, `reward`, `sample` and `score` on a small embedded data set.
precis_test(training_run_test
  SOURCES training_test.cpp training_input_test.cpp stops_test.cpp reward_workers_test.cpp ranks_test.cpp
          finished_runs_test.cpp training_run.cpp
  LIBRARIES ppo_run precis_io TIMEOUT 600 LABELS run mpi)
