# Whole runs of `precis ppo` on small models that make_models writes.
add_executable(make_models make_models.cpp)
target_link_libraries(make_models PRIVATE precis_synthetic precis_model)

add_library(ppo_run STATIC ppo_run.cpp)
target_link_libraries(ppo_run PUBLIC precis_options precis_base nlohmann_json::nlohmann_json GTest::gmock)
target_include_directories(ppo_run PUBLIC ${PROJECT_SOURCE_DIR}/tests)
target_compile_definitions(ppo_run PUBLIC PRECIS_PROGRAM="$<TARGET_FILE:precis>"
                           PRECIS_MPIEXEC="${MPIEXEC_EXECUTABLE}"
                           PRECIS_MAKE_MODELS="$<TARGET_FILE:make_models>")
add_dependencies(ppo_run precis make_models)

foreach(what layouts restart failures value_warmup staleness)
  precis_test(ppo_${what}_test SOURCES ppo_${what}_test.cpp LIBRARIES ppo_run TIMEOUT 300
              LABELS run mpi)
endforeach()

precis_test(ppo_matrix_test SOURCES ppo_matrix_test.cpp LIBRARIES ppo_run TIMEOUT 1200
            LABELS run mpi long)
precis_test(ppo_golden_test SOURCES ppo_golden_test.cpp LIBRARIES ppo_run precis_model TIMEOUT 120
            LABELS run mpi)

foreach(ranks 1 2 4)
  add_test(NAME ppo_kill_sweep.${ranks}ranks
           COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/kill_sweep.sh $<TARGET_FILE:precis>
                   $<TARGET_FILE:make_models> ${MPIEXEC_EXECUTABLE} 50 ${ranks})
  set_tests_properties(ppo_kill_sweep.${ranks}ranks PROPERTIES TIMEOUT 1200 LABELS "run;mpi;long"
    PROCESSORS ${ranks}
    ENVIRONMENT "OMPI_ALLOW_RUN_AS_ROOT=1;OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1;OMPI_MCA_mpi_yield_when_idle=1;OMP_NUM_THREADS=1")
endforeach()

# A sanitizer must be loaded before anything else, so that nothing can be preloaded with one.
if(NOT PRECIS_SANITIZE)
  add_library(fault MODULE fault.c)
  target_include_directories(fault PRIVATE $<TARGET_PROPERTY:MPI::MPI_CXX,INTERFACE_INCLUDE_DIRECTORIES>)
  target_link_libraries(fault PRIVATE ${CMAKE_DL_LIBS})
  precis_test(ppo_faults_test SOURCES ppo_faults_test.cpp LIBRARIES ppo_run TIMEOUT 300 LABELS run mpi)
  precis_test(grid_faults_test SOURCES grid_faults_test.cpp training_run.cpp LIBRARIES ppo_run precis_io TIMEOUT 300
              LABELS run mpi)
  precis_test(ppo_grid_faults_test SOURCES ppo_grid_faults_test.cpp LIBRARIES ppo_run TIMEOUT 600 LABELS run mpi)
  foreach(test ppo_faults_test grid_faults_test ppo_grid_faults_test)
    add_dependencies(${test} fault)
    target_compile_definitions(${test} PRIVATE PRECIS_FAULT="$<TARGET_FILE:fault>")
  endforeach()
endif()
