
# The example; ERNN_EXAMPLE=OFF leaves it out where this folder is a part of another project.
if(CMAKE_SOURCE_DIR STREQUAL CMAKE_CURRENT_SOURCE_DIR)
  set(is_top ON)
else()
  set(is_top OFF)
endif()
option(ERNN_EXAMPLE "Build the example" ${is_top})
if(ERNN_EXAMPLE)
  add_executable(example example.c)
  target_link_libraries(example PRIVATE ernn::ernn)
  set_target_properties(example PROPERTIES C_STANDARD 99)
endif()
