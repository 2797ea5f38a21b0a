# Whole runs of `precis ppo` on small models that make_models writes.
add_executable(make_models make_models.cpp)
target_link_libraries(make_models PRIVATE precis_feedback)

add_library(ppo_run STATIC ppo_run.cpp)
target_link_libraries(ppo_run PUBLIC precis_options precis_base nlohmann_json::nlohmann_json GTest::gmock)
target_include_directories(ppo_run PUBLIC ${PROJECT_SOURCE_DIR}/tests)
target_compile_definitions(ppo_run PUBLIC PRECIS_PROGRAM="$<TARGET_FILE:precis>"
                           PRECIS_MPIEXEC="${MPIEXEC_EXECUTABLE}"
                           PRECIS_MAKE_MODELS="$<TARGET_FILE:make_models>")
add_dependencies(ppo_run precis make_models)

foreach(what layouts restart failures)
  precis_test(ppo_${what}_test SOURCES ppo_${what}_test.cpp LIBRARIES ppo_run TIMEOUT 300
              LABELS run mpi)
endforeach()
